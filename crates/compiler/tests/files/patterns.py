# stages: codegen code
match value:
    case [Point(x=0, y=1 | 2), *rest] if rest:
        a
    case {"key": k, **others} | {"other": k, **others}:
        b
    case (1, _) as pair:
        c
    case _:
        d
