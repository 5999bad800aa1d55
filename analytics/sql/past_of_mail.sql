-- The events about a mail and its retry that had arrived by a moment. Needs past_rows.sql.
-- What is told of a retry names the original, also that it wasn't needed. Each of the two conditions alone is
-- one that whole files are skipped by; an event that meets both comes twice.
FROM past_rows($files, $moment) WHERE email_id = $email_id
UNION ALL
FROM past_rows($files, $moment) WHERE original_email_id = $email_id;
