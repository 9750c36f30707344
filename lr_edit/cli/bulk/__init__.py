"""Many edits by one command, in small pieces; how one edit is made is known elsewhere."""
