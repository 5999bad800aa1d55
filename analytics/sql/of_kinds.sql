-- The records of some kinds (the variable `kinds`).
FROM events WHERE list_contains(getvariable('kinds'), kind);
