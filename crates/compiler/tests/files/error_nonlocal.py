# stages: symtable code
def f():
    nonlocal x
