-- The events that say something of the suppression of addresses and had arrived by a moment. Needs past_rows.sql.
-- The archive has the key of the first recipient; the others are canonical. As in suppression_told.sql.
-- An event that meets both conditions comes twice.
FROM past_rows($files, $moment)
WHERE kind IN ('Bounce', 'Complaint', 'Address Suppressed', 'Address Released', 'Retry Not Needed')
  AND recipient_key IN (SELECT unnest($addresses))
UNION ALL
FROM past_rows($files, $moment)
WHERE kind IN ('Bounce', 'Complaint')
  AND list_has_any($addresses, list_transform((rest ->> '$.recipients[*]')[2:], lambda each: lower(each)));
