"""Things that wait together are written together, and no more at once than may be."""

import asyncio

import pytest

from frontdesk.store.gathered import Gathered


class Book:
    """Writes batches down; each waits until `go_on`."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.open = asyncio.Event(), asyncio.Event()

    async def write(self, items: list[int]) -> list[int | Exception]:
        self.batches.append(items)
        self.begun.set()
        await self.open.wait()
        return [ValueError(item) if item < 0 else item * 2 for item in items]


async def put_all(gathered: Gathered[int, int], book: Book, items: list[int]) -> list[int | BaseException]:
    """The results of items of which the first is under way when the others come."""
    first = asyncio.create_task(gathered.put(items[0]))
    await book.begun.wait()
    rest = [asyncio.create_task(gathered.put(item)) for item in items[1:]]
    await asyncio.sleep(0)
    book.open.set()
    return await asyncio.gather(first, *rest, return_exceptions=True)


async def test_what_comes_while_something_is_written_is_written_together() -> None:
    book = Book()
    assert await put_all(Gathered(book.write), book, [1, 2, 3, 4]) == [2, 4, 6, 8]
    assert book.batches == [[1], [2, 3, 4]]


async def test_each_item_meets_its_own_error() -> None:
    book = Book()
    _, wrong, right = await put_all(Gathered(book.write), book, [1, -2, 3])
    assert isinstance(wrong, ValueError)
    assert right == 6


@pytest.mark.parametrize(("most", "batches"), [(5, [[1], [2, 3], [4], [9]]), (100, [[1], [2, 3, 4, 9]])])
async def test_no_more_is_written_at_once_than_may_be_but_for_a_single_item(
    most: int, batches: list[list[int]]
) -> None:
    book = Book()
    gathered = Gathered(book.write, most=most, weight=lambda item: item)
    assert await put_all(gathered, book, [1, 2, 3, 4, 9]) == [2, 4, 6, 8, 18]
    assert book.batches == batches


async def test_two_lanes_are_under_way_at_once_and_the_rest_waits() -> None:
    book = Book()
    gathered = Gathered(book.write, lanes=2)
    assert await put_all(gathered, book, [1, 2, 3, 4]) == [2, 4, 6, 8]
    assert book.batches == [[1], [2, 3, 4]], "the second lane took what was there when it began"
    assert await asyncio.gather(*(gathered.put(item) for item in range(50))) == [item * 2 for item in range(50)]


async def test_a_third_does_not_begin_while_two_are_under_way() -> None:
    book = Book()
    gathered = Gathered(book.write, lanes=2)
    waiting = []
    for item in (1, 2, 3, 4):
        waiting.append(asyncio.create_task(gathered.put(item)))
        for _ in range(3):
            await asyncio.sleep(0)
    assert book.batches == [[1], [2]]
    book.open.set()
    assert await asyncio.gather(*waiting) == [2, 4, 6, 8]
    assert book.batches == [[1], [2], [3, 4]]
