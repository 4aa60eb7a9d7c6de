"""The `registry` command, one module a noun.

main      the group that they hang from          api        the running appliance, over HTTP
serve     serve, run                             show       what is printed: tables, JSON, times
policy    its group, with decrees (allow, deny,  questions  passwords, confirmations
          …), petitions, names and planning      exits      how a command ends
audit     log, who; proof: verify, export, …     offline    what the doctor can see without the appliance
pins      lock files, as the API takes them      files      other files that people name

A command asks the running appliance and prints what it answers; it decides nothing. Exit status: 0 done,
1 refused or a negative result, 2 wrong usage or settings, 3 the appliance can't be reached.
"""
