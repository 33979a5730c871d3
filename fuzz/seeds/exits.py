 def f(x):
  with x:
    for i in x:
      try: return i
      except E as e: raise
      except: pass
      else: continue
      finally: x()
def g():
  try:
    try: yield 1
    except* A: yield from b
  finally: c = yield
