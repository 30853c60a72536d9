"""Drawn cases: divisions a frame early or late, and which segments an error spoils."""


def test_a_division_one_frame_late_is_three_errors_by_edges_and_found_with_tolerance(drawn):
    r"""The mother is taken on to frame 2, nearer the upper daughter; there she divides between two true cells.

    truth           0   1   2   3   4
            15 µm             --o---o
                             /
            12 µm         --o
                         /
            10 µm   o---o
                         \
             8 µm         --o
                             \
             5 µm             --o---o
    reconstruction  0   1   2   3   4
            15 µm             --o---o
                             /
          10.5 µm   o---o---o
                             \
             5 µm             --o---o
    expect          fn_edges 1, one_unconnected_child 1, fp_divisions 1, sum_of_errors 3
    expect          error_free 6/7 2/5 0/3, division_tp 1, division_fp 0, division_fn 0
    """
    drawn.check()


def test_a_division_one_frame_late_is_both_missed_and_false_without_tolerance(drawn):
    r"""
    truth           0   1   2   3   4
            15 µm             --o---o
                             /
            12 µm         --o
                         /
            10 µm   o---o
                         \
             8 µm         --o
                             \
             5 µm             --o---o
    reconstruction  0   1   2   3   4
            15 µm             --o---o
                             /
          10.5 µm   o---o---o
                             \
             5 µm             --o---o
    with            division_tolerance_frames 0
    expect          fn_edges 1, one_unconnected_child 1, fp_divisions 1
    expect          division_tp 0, division_fp 1, division_fn 1, division_f1 0
    """
    drawn.check()


def test_a_division_one_frame_early_is_two_errors_by_edges_and_found_with_tolerance(drawn):
    r"""
    truth           0   1   2   3   4
            15 µm             --o---o
                             /
            10 µm   o---o---o
                             \
             5 µm             --o---o
    reconstruction  0   1   2   3   4
            15 µm             --o---o
                             /
            11 µm         --o
                         /
            10 µm   o---o
                         \
             8 µm         --o
                             \
             5 µm             --o---o
    expect          fn_edges 0, one_unconnected_child 1, fp_divisions 1, sum_of_errors 2
    expect          error_free 6/6 2/4 0/2, division_tp 1, division_fp 0, division_fn 0, division_f1 1
    """
    drawn.check()


def test_a_division_with_a_wrong_branch_is_not_found_by_tolerance_either(drawn):
    r"""The lower branch runs 10 µm away from the lower daughter.

    truth           0   1   2   3
            25 µm         --o---o
                         /
            20 µm   o---o
                         \
            15 µm         --o---o
    reconstruction  0   1   2   3
            25 µm         --o---o
                         /
            20 µm   o---o
                         \
             5 µm         --o---o
    expect          fn_edges 2, one_unconnected_child 1, fp_divisions 1, sum_of_errors 4
    expect          error_free 3/5 1/3 0/1, division_tp 0, division_fp 1, division_fn 1
    """
    drawn.check()


def test_an_error_in_one_branch_spoils_the_mothers_segments_and_one_long_branch_is_long_enough(drawn):
    r"""From the first link w = 3 is reached by the upper branch alone; the lower one, cut short, still counts.

    truth           0   1   2   3
            15 µm         --o---o
                         /
            10 µm   o---o
                         \
             5 µm         --o
    reconstruction  0   1   2   3
            15 µm         --o---o
                         /
            10 µm   o---o
             5 µm           o
    expect          fn_edges 1, one_unconnected_child 1, error_free 3/4 1/2 0/1
    """
    drawn.check()


def test_an_error_in_the_last_frame_of_a_segment_or_at_its_start_does_not_count_for_it(drawn):
    """The switch in frame 1 spoils the segment 0-2 only: 0-1 ends there and 1-2, 1-3 start there.

    truth           0   1   2   3
            10 µm   o---o---o---o
    reconstruction  0   1   2   3
            11 µm   o---o
             9 µm       o---o---o
    expect          identity_switches 1, error_free 3/3 1/2 0/1
    """
    drawn.check()
