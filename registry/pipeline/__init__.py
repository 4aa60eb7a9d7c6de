"""The straight line: identify → decide → resolve → decide → verify → record → respond.

gateway       the doors; each walks the line once; answers: what they give
resolve       private, or upstream?
freshness     the current document of a project: fresh, revalidated, stale, or fetched
prepare       document + pins + policy → what a client gets; pure, so a worker process can do it
large         what is too large for memory, in files
workers       processes for large documents; worker: what such a process does
heap          what the C library keeps of free memory
verify        one flight a file: fetched, verified, kept; words: what it says to other processes
singleflight  one flight a key, one turn a name, here and in all processes
attesting     registry signatures, signing keys, attestations of npm packages
auditing      audits, less the names that are ours; audit_answers: who answers them
searching     what is here, by name
publishing    the way in for private files
operations    what an admin can do
starvation    an alarm when the database can't be checkpointed

The outside world is touched through `model/ports/` only.
"""
