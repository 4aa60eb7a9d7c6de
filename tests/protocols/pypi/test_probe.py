from tests.upstream import make_wheel
async def test_it(house, upstream):
    import time
    w = make_wheel("demo", "1.0", requires_python=">=3.8")
    upstream.add(w)
    print(await house.index("demo"))
    await house.fetched(w)
    print(await house.index("demo"))
    print(await house.get("/pypi/files/demo/"+w.filename+".metadata"))
async def test_up(shop):
    w = make_wheel("ours-demo", "1.0", requires_python=">=3.8")
    print(await shop.upload(w))
    print(await shop.index("ours-demo"))
    print(await shop.api("GET", "/cache"))
async def test_b(house): pass
async def test_c(house): pass
