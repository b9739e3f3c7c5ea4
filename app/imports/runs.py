"""Which numbered paragraphs are the plan's targets.

A page around the plan may hold numbered lines of its own: menus, links, comments, even comments that name units. One
piece of evidence is not enough; taken together these are:

- a *block* is what stands together without foreign text between. The plan's core is the block with most unit clauses,
  and the plan begins at the title above it;
- the numbers of a plan run on. Another block belongs to the plan if its numbers carry the run on, or if the next
  heading in order begins a new run, and if it holds two clauses or more or stands under that heading: a lone numbered
  line behind foreign text is a comment sooner than a target. What is left out is told in a finding;
- an item without a clause is a target where the run needs it: its number fits between its neighbours', or it carries
  the run on by one and is a sentence.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from app.imports.marks import ends_sentence, title_weight
from app.imports.paragraphs import Kind, Paragraph

Block = list[Paragraph]


def select_plan(paragraphs: Sequence[Paragraph]) -> tuple[Paragraph | None, list[Paragraph]]:
    """The title (if there is one) and the targets of a document, in its order."""
    core = max(_blocks(paragraphs), key=_clauses, default=[])
    if not _clauses(core):
        return None, []
    first = _items(core)[0].first
    title = find_title([paragraph for paragraph in paragraphs if paragraph.first < first])
    begin = title.last if title else -1
    blocks = _blocks([paragraph for paragraph in paragraphs if paragraph.first > begin])
    at = next(index for index, block in enumerate(blocks) if _items(block)[0].first == first)
    targets = _before(blocks, at)
    return title, targets + _after(blocks, at, targets)


def find_title(paragraphs: Sequence[Paragraph]) -> Paragraph | None:
    """The paragraph that looks most like a title; the last of those that do so equally."""
    best, weight = None, 1
    for paragraph in paragraphs:
        if paragraph.kind in (Kind.text, Kind.run_in) and (found := title_weight(paragraph.text)) >= weight:
            best, weight = paragraph, found
    return best


def _blocks(paragraphs: Sequence[Paragraph]) -> list[Block]:
    """Items and headings that stand together: a page number does not part them, any other text does.

    A numbered heading stays with the items below it when a paragraph introduces them.
    """
    blocks: list[Block] = [[]]
    for paragraph in paragraphs:
        if paragraph.kind is Kind.text or title_weight(paragraph.text):
            waiting = _pop_headings(blocks[-1])
            if blocks[-1]:
                blocks.append([])
            blocks[-1] = waiting
        elif paragraph.kind is not Kind.page_number:
            blocks[-1].append(paragraph)
    _pop_headings(blocks[-1])
    return blocks if blocks[-1] else blocks[:-1]


def _pop_headings(block: Block) -> Block:
    """Take from a block what stands below its last item; of that, the numbered headings."""
    below: Block = []
    while block and block[-1].kind is not Kind.item:
        below.append(block.pop())
    return [heading for heading in reversed(below) if heading.kind is Kind.heading]


def _items(block: Block) -> Block:
    return [paragraph for paragraph in block if paragraph.kind is Kind.item]


def _clauses(block: Block) -> int:
    return sum(item.names_units for item in _items(block))


def _before(blocks: Sequence[Block], at: int) -> list[Paragraph]:
    """The core's targets, and those above it that lead up to its first number or to the heading it begins under."""
    found = [_fitting(blocks[at], None)]
    following = blocks[at]
    for block in reversed(blocks[:at]):
        if fitting := _fitting(block, None):
            first, step = found[-1][0].value, found[-1][0].value - fitting[-1].value
            begins_anew = following[0].kind is Kind.heading and first == 1
            if begins_anew or step == 1 or (step > 0 and _clauses(block) > 1):
                found.append(fitting)
                following = block
    return [target for fitting in reversed(found) for target in fitting]


def _after(blocks: Sequence[Block], at: int, targets: Sequence[Paragraph]) -> list[Paragraph]:
    """What carries the run on below the core, up to the last block that is more than a lone numbered line."""
    last = max(target.value for target in targets)
    lone_fits = _clauses(blocks[at]) < 2
    found: list[Paragraph] = []
    sure = 0
    ordered = _next_in_order(blocks)
    for block in blocks[at + 1 :]:
        headed = id(block[0]) in ordered
        fitting = _fitting(block if headed else _items(block), last)
        if fitting:
            found += fitting
            last = fitting[-1].value
            if lone_fits or headed or _clauses(block) > 1:
                sure = len(found)
    return found[:sure]


def _next_in_order(blocks: Sequence[Block]) -> set[int]:
    """The headings whose number is the next of its style, or the first below a heading further out."""
    seen: dict[int, int] = {}
    ordered: set[int] = set()
    for block in blocks:
        for heading in block:
            if heading.kind is Kind.heading and heading.number is not None:
                style, value = heading.number.style, heading.value
                if value == seen.get(style, 0) + 1:
                    ordered.add(id(heading))
                seen = {outer: number for outer, number in seen.items() if outer < style} | {style: value}
    return ordered


def _fitting(block: Block, last: int | None) -> list[Paragraph]:
    """The items of a block that fit a run of numbers whose last number so far is given (None: none yet)."""
    items = _items(block)
    fresh = _may_begin_anew(block)
    fitting: list[Paragraph] = []
    for item, later in zip(items, _later_numbers(items), strict=True):
        if id(item) in fresh and item.value == 1:
            last = None
        if not _fits(item, last, later, same_block=bool(fitting)):
            continue
        fitting.append(item)
        # a misprinted number, from which the run at once turns back, is no step of the run
        if last is None or not later or not last < later[0] <= item.value:
            last = max(last or 0, item.value)
    return _without_loose_head(fitting)


def _fits(item: Paragraph, last: int | None, later: Sequence[int], *, same_block: bool) -> bool:
    """Whether an item carries a run on; `later` are the numbers of the items with a clause behind it."""
    if last is None:
        return item.names_units or bool(later)
    if item.names_units:
        # within a block a number may be misprinted or repeated, as long as the run goes on behind it
        return item.value > last or (same_block and (item.value == last or any(value > last for value in later)))
    if later and last < item.value < later[0]:
        return True
    return item.value == last + 1 and is_sentence(item)


def _later_numbers(items: Block) -> Iterator[tuple[int, ...]]:
    """For each item, the numbers of the next three items that name units."""
    later: list[tuple[int, ...]] = []
    following: tuple[int, ...] = ()
    for item in reversed(items):
        later.append(following)
        if item.names_units:
            following = (item.value, *following[:2])
    return reversed(later)


def _may_begin_anew(block: Block) -> set[int]:
    """Items at which numbering may begin anew: the first under a numbered heading, or under a run-in heading if the
    next item with a clause carries on from it."""
    items = _items(block)
    carried_on = {id(one) for one, two in pairwise(items) if two.names_units and two.value == one.value + 1}
    return {
        id(item)
        for above, item in pairwise(block)
        if item.kind is Kind.item
        and (above.kind is Kind.heading or (above.kind is Kind.run_in and id(item) in carried_on))
    }


def _without_loose_head(fitting: list[Paragraph]) -> list[Paragraph]:
    """Items above the first unit clause must be sentences that count up to it without a gap."""
    begin = next((index for index, item in enumerate(fitting) if item.names_units), 0)
    while begin and fitting[begin - 1].value == fitting[begin].value - 1 and is_sentence(fitting[begin - 1]):
        begin -= 1
    return fitting[begin:]


def is_sentence(item: Paragraph) -> bool:
    """Whether an item without a unit clause reads like one that has one: a sentence, not a link or a label."""
    return len(item.text.strip()) >= 8 and ends_sentence(item.text)
