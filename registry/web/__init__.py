"""HTTP in: requests become asks, answers become responses. The one place that knows status lines.

server     the listening side: limits, errors, shutdown
site       which host names are ours, and the URL a client sees us under
callers    who is behind a request
traffic    the two ecosystems' paths, one handler for both
responses  renditions, small documents, the headers of a file
files      files that are here: by sendfile, or in pieces from where a call may hang (reading)
flights    files that are still on their way
sendfile   files over a plain connection, by the kernel alone
uploads    bodies into the spool
pages      what people see: the start page and /why
health     /-/live, /-/ready, /metrics
admin      the API, described by openapi
"""
