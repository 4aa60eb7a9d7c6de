"""Where packages come from: the HTTP client, upstreams, and the two private back ends.

egress            which addresses may be connected to; origins
trust, proxies    what the operator's environment says about TLS and HTTP proxies
limits, breaker   how long, how much, and when to stop asking
bodies            reading what arrives: bounded, paced, decoded
download          a file, taken up again where a connection broke
spool             documents that are too large for memory, as files
failures          what goes wrong, in our words
client            one source's requests: redirects, retries, errors in our words
hosts             which hosts a source's documents and files may come from
inherit           what pip and npm on this machine would ask
services          what an npm registry offers besides packages
attestations      provenance of Python files, checked without a network
registry_source   an upstream index or registry
private_pypi      pypiserver
private_npm       Verdaccio

Everything that leaves this machine leaves through `client`. No name of a public registry is spelled here.
"""
