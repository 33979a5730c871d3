 for a, *b in c:
  try:
    if not a: continue
    break
  finally:
    while b and c or d: return_ = 1
else: pass
async def f():
  async for x in y:
    async with z as w: await x
  return [x async for x in y]
