!try:
 a
except* (B, C) as d: raise E from f
with (g as h, i): del j, (k)
