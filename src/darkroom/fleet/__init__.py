"""Workers on other machines: `darkroom worker` leases tasks from a server over HTTP.

`messages` is what both sides say; `desk`, `files` and `link` are the worker's side, `web.fleet` the server's. A worker
needs a server's address and a key with the scope `worker`: no database, no storage, no open port. The server does all
the deciding; each word of a worker about a task is fenced by the number of its attempt.
"""
