"""`brew check`: everything that is wrong with a net, a solver or weights at once, and the mistakes people often make.

files.check(path)           the findings of one file of any kind
kinds                       what a file is, by its fields
finding                     what a finding is; how findings of several states become one
rules                       a register of rules: a code, and a function that looks for one mistake
states, trial, view         a net in every state it is used in; building it on past errors; who reads whom
net_rules, label_rules, data_rules, solver_rules, weights
"""
