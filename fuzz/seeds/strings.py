 x = f"{a!r:>{b}}" + rb"\x00"
if x:
	y
