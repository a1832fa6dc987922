"""The order of files, against what os.listdir gave for folders on ext4."""

from vtg_eval.metrics.listing_order import listing_order


def test_names_are_listed_as_a_folder_listed_them() -> None:
    # the first ten of 3,000 files 0.json to 2999.json, as os.listdir gave them
    first = [410, 2865, 2233, 845, 1479, 1642, 892, 2659, 1794, 1292]
    assert listing_order([f"{number}.json" for number in range(3000)])[:10] == first


def test_names_of_several_blocks_and_of_none() -> None:
    first = [1875, 588, 1823, 758, 2473, 2358, 1518, 258, 449, 2562]
    names = [f"{'clip-' * (number % 30)}{number}" for number in range(3000)]
    assert listing_order(names)[:10] == first
    assert listing_order([]) == []


def test_the_order_in_which_names_come_does_not_matter() -> None:
    names = [str(number) for number in range(50)]
    backwards = names[::-1]
    assert [names[row] for row in listing_order(names)] == [
        backwards[row] for row in listing_order(backwards)
    ]
