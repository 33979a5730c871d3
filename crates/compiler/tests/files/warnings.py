# stages: code
x is 1
assert (x, "message")
"text"(x)
[1, 2]["index"]
