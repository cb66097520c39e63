-- Which page or frame of a file with several a picture is, as a JSON object; null for a file with one.
ALTER TABLE image ADD COLUMN pages TEXT;
-- What is on it, in the user's words.
ALTER TABLE image ADD COLUMN alt TEXT;
