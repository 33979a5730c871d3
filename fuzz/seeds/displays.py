 # coding: latin-1
x \
 = [a for a in b if c], {1: 2, **d}, {*e}, (f := 1)
