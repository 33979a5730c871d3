 @d
async def f[T: int](a, /, *b: *T, c=lambda x, *y: z, **k) -> T:
  return await a, *b
