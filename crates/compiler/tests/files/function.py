# stages: codegen code
def gen(a, /, b=1, *args, c, **kw):
    """Doc
    string"""
    x = yield a
    del a
    print(a, b)
    return (yield from x)


async def coro(it):
    async for i in it:
        await i
    return {k: v async for k, v in it}
