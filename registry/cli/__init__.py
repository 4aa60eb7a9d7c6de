"""The `registry` command, one module a noun.

main      the group that they hang from          api        the running appliance, over HTTP
serve     serve, run                             show       what is printed: tables, JSON, times
policy    explain allow deny claim remove …      questions  passwords, confirmations
audit     log who verify                         offline    what the doctor can see without the appliance
user token cache doctor

A command asks the running appliance and prints what it answers; it decides nothing. Exit status: 0 done,
1 refused or a negative result, 2 wrong usage or settings, 3 the appliance can't be reached.
"""
