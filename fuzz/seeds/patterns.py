 match x:
 case A(1, b=[*_, {"k": -1 + 2j, **r}]) as c if d: pass
