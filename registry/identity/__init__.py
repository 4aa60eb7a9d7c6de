"""Who is asking: users with passwords, tokens, and the one header that names them.

Rows are kept behind the `Accounts` port; password hashes are in one htpasswd file, secrets of the appliance
itself are files of mode 0600 below `keys/`.
"""
