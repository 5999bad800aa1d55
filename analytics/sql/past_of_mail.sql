-- The events about a mail and its retry that had arrived by a moment. Needs past_rows.sql.
-- What is told of a retry names the original, also that it wasn't needed.
FROM past_rows($files, $moment)
WHERE email_id = $email_id OR original_email_id = $email_id;
