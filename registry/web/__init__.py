"""HTTP in: requests become asks, answers become responses. The one place that knows status lines.

listening   server: limits, errors, shutdown; door, guard, tcp: bounds that the library doesn't have;
            connection: a client's, where at_hand answers what can be given at once; certificate
requests    heads, meaning: what is asked; site: which host names are ours; callers: who is behind it;
            traffic: the two ecosystems' paths, one way for both; uploads: bodies into the spool
answers     replies: as values; responses, problems: as HTTP; ranges; lock_files: npm's, without our address
bodies      pieces: a few at a time; files, reading: from the disk; sendfile: by the kernel alone;
            flights: on their way in; packed: too large for memory
services    services: what npm's command line asks besides packages
people      pages, petitions, client_lines; same_site: no other site's page changes anything
operating   health: /-/live, /-/ready, /metrics; journal: the process log
api         /api/v1, a module a noun, described by openapi
"""
