# stages: codegen code
try:
    pass
except* E:
    for i in x:
        break
    return
