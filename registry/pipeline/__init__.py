"""The straight line: identify → decide → resolve → decide → verify → record → respond.

the line   gateway: the doors, each walks the line once; answers: what they give; admission: may it pass?
           resolve: private, or upstream?; inforce: the policy that counts; settling: what is said of a file
           in the end, with objections (digests) and standing (private projects)
indexes    freshness: the current document of a project; rendering: what clients get of it, from the shelf;
           preparer, prepare: document + pins + policy → an index (pure, so a worker process can do it);
           orders: what is wanted of that; shelved: what comes of it; offers: what changes in it afterwards;
           handovers: who published before; large, packs: too large for memory
files      verify: one flight a file, fetched, verified, kept; file_events: what is logged of it;
           flight, relay, words: who follows it, here and in other processes; inspector, contents: what is
           inside; core_metadata: what lies beside it
who built  vouching: attestations of Python files, signatures of npm's; attesting: the keys
way in     publishing: private files; turns: one change of a project at a time; rescan: what the back end has
services   auditing, audit_answers, audit_trees: audits, less the names that are ours; searching
admins     operations and what ends in it; decrees, foresight, jobs, warming
processes  singleflight: one flight a key; workers, worker: what would hold the loop up; heap: freed memory
watches    timekeeping: what time it is; starvation: a database that can't be checkpointed

The outside world is touched through `model/ports/` only.
"""
