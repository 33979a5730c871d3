# stages: codegen cfg code
while a:
    if b and not c:
        break
    elif d is None:
        continue
else:
    e()
try:
    f()
except E as exc:
    g(exc)
finally:
    h()
with i as j, k:
    l
