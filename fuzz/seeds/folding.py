 a = (1, 2) + (3,); b = "%s %r" % (c, d); e = {1, 2} if x in {3, 4} else -(2 ** 70)
if __debug__ and not 0: "ab" * 3 [::2]
assert (x, "y"), 1
x is 1
(1)(2)
f"{1}{a!s:{b}}{2=}"
