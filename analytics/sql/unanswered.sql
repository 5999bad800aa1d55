-- Requests that came before a moment (the variable `before`) and have no outcome: neither sent nor refused.
SELECT email_id, min(time) AS asked, any_value(template) AS template
FROM events ANTI JOIN (SELECT email_id FROM events WHERE kind IN ('Mail Sent', 'Mail Failed')) USING (email_id)
WHERE kind = 'Email Request' AND time < getvariable('before')
GROUP BY email_id
ORDER BY asked;
