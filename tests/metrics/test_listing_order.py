"""The order of files, against the results of os.listdir for folders on ext4."""

from vtg_eval.metrics.listing_order import listing_order


def test_names_have_the_order_of_os_listdir() -> None:
    # the first ten of os.listdir for 3,000 files 0.json to 2999.json
    first = [410, 2865, 2233, 845, 1479, 1642, 892, 2659, 1794, 1292]
    assert listing_order([f"{number}.json" for number in range(3000)])[:10] == first


def test_long_names_and_no_names() -> None:
    first = [1875, 588, 1823, 758, 2473, 2358, 1518, 258, 449, 2562]
    names = [f"{'clip-' * (number % 30)}{number}" for number in range(3000)]
    assert listing_order(names)[:10] == first
    assert listing_order([]) == []


def test_the_order_of_the_input_does_not_matter() -> None:
    names = [str(number) for number in range(50)]
    backwards = names[::-1]
    assert [names[row] for row in listing_order(names)] == [
        backwards[row] for row in listing_order(backwards)
    ]
