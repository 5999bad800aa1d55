-- Every record, in no order.
FROM events;
