"""Drawn cases: divisions found, false, missed and shifted in time."""


def test_a_perfect_division_has_no_error(drawn):
    r"""
    truth           0   1   2   3
            15 µm         --o---o
                         /
            10 µm   o---o
                         \
             5 µm         --o---o
    reconstruction  0   1   2   3
            15 µm         --o---o
                         /
            10 µm   o---o
                         \
             5 µm         --o---o
    expect          matched_edges 5, error_free 5/5 3/3 1/1, division_tp 1, division_fp 0, division_fn 0
    expect          score none, edge_jaccard_adjusted none
    """
    drawn.check()


def test_a_division_where_the_cell_only_moves_is_false(drawn):
    r"""
    truth           0   1   2   3
            10 µm   o---o---o---o
    reconstruction  0   1   2   3
            10 µm   o---o---o---o
                         \
             5 µm         --o---o
    expect          fp_divisions 1, error_free 3/3 1/2 0/1, division_fp 1, division_tp 0, unmatched_near_truth 0
    """
    drawn.check()


def test_a_division_is_false_where_the_truth_goes_on_although_neither_daughter_is_matched(drawn):
    r"""
    truth           0   1   2   3
            10 µm   o---o---o---o
    reconstruction  0   1   2   3
            15 µm         --o
                         /
            10 µm   o---o
                         \
             5 µm         --o
    expect          fn_edges 2, fp_divisions 1, division_fp 1, error_free 1/3 0/2 0/1
    """
    drawn.check()


def test_a_division_where_the_sparse_truth_ends_is_unknown(drawn):
    r"""
    truth           0   1   2
            10 µm   o---o---o
    reconstruction  0   1   2   3
            15 µm             --o
                             /
            10 µm   o---o---o
                             \
             5 µm             --o
    expect          fp_divisions 0, division_fp 0, error_free 2/2 1/1 0/0
    """
    drawn.check()


def test_a_division_where_dense_truth_ends_is_false(drawn):
    r"""The last point of the truth lies inside no segment, so the curve does not see it.

    dense truth     0   1   2
            10 µm   o---o---o
    reconstruction  0   1   2   3
            15 µm             --o
                             /
            10 µm   o---o---o
                             \
             5 µm             --o
    expect          fp_divisions 1, division_fp 1, fp_edges 2, error_free 2/2 1/1 0/0, node_precision 3/5
    """
    drawn.check()


def test_a_division_before_the_sparse_truth_begins_is_unknown(drawn):
    r"""
    truth           2   3
            15 µm   o---o
    reconstruction  0   1   2   3
            15 µm         --o---o
                         /
            10 µm   o---o
                         \
             5 µm         --o---o
    expect          fp_divisions 0, division_fp 0, matched_edges 1, error_free 1/1 0/0 0/0
    """
    drawn.check()


def test_a_division_at_truth_that_is_not_scored_is_left_out(drawn):
    r"""The lower division is false, but it was found at a cell that does not count; the upper truth is perfect.

    dense truth     0   1   2
            80 µm   o---o---o
            10 µm   x---x---x
    reconstruction  0   1   2
            80 µm   o---o---o
            25 µm         --o
                         /
            10 µm       o
                         \
            -5 µm         --o
    expect          fp_divisions 0, division_fp 0, fp_edges 0, error_free 2/2 1/1 0/0
    """
    drawn.check()


def test_a_division_far_from_sparse_truth_is_unknown(drawn):
    r"""
    truth           0   1   2
            80 µm   o---o---o
    reconstruction  0   1   2
            80 µm   o---o---o
            15 µm         --o
                         /
            10 µm   o---o
                         \
             5 µm         --o
    expect          fp_divisions 0, division_fp 0, error_free 2/2 1/1 0/0
    """
    drawn.check()


def test_a_division_far_from_dense_truth_is_false_but_breaks_no_true_lineage(drawn):
    r"""
    dense truth     0   1   2
            80 µm   o---o---o
    reconstruction  0   1   2
            80 µm   o---o---o
            15 µm         --o
                         /
            10 µm   o---o
                         \
             5 µm         --o
    expect          fp_divisions 1, division_fp 1, fp_edges 3, node_precision 3/7, error_free 2/2 1/1 0/0
    """
    drawn.check()


def test_a_division_with_one_daughter_left_over_is_missed(drawn):
    r"""Its missing link is an FN edge besides: two errors, as in the paper.

    truth           0   1   2   3
            15 µm         --o---o
                         /
            10 µm   o---o
                         \
             5 µm         --o---o
    reconstruction  0   1   2   3
            15 µm         --o---o
                         /
            10 µm   o---o

             5 µm           o---o
    expect          one_unconnected_child 1, fn_edges 1, sum_of_errors 2, errors_per_edge 2/5
    expect          error_free 4/5 1/3 0/1, division_fn 1, division_tp 0, division_fp 0
    """
    drawn.check()


def test_a_daughter_joined_to_another_cell_beside_the_mother_is_unconnected_without_a_missing_link(drawn):
    r"""
    truth           0   1   2   3
            15 µm         --o---o
                         /
            10 µm   o---o
                         \
             5 µm         --o---o
    reconstruction  0   1   2   3
            15 µm         --o---o
                         /
            10 µm   o---o
             8 µm       o
                         \
             5 µm         --o---o
    expect          one_unconnected_child 1, fn_edges 0, sum_of_errors 1, error_free 5/5 2/3 0/1
    """
    drawn.check()


def test_a_division_with_both_daughters_left_over_has_no_connection(drawn):
    r"""
    truth           0   1   2   3
            15 µm         --o---o
                         /
            10 µm   o---o
                         \
             5 µm         --o---o
    reconstruction  0   1   2   3
            15 µm           o---o
            10 µm   o---o
             5 µm           o---o
    expect          no_connection 1, fn_edges 2, sum_of_errors 3, error_free 3/5 0/3 0/1, division_fn 1
    """
    drawn.check()


def test_a_division_cut_from_its_past_is_reported_but_breaks_nothing(drawn):
    r"""
    truth           0   1   2   3
            15 µm         --o---o
                         /
            10 µm   o---o
                         \
             5 µm         --o---o
    reconstruction  0   1   2   3
            15 µm         --o---o
                         /
            11 µm       o
                         \
             5 µm         --o---o
             9 µm   o---o
    expect          unconnected_parents 1, sum_of_errors 0, matched_edges 5, error_free 5/5 3/3 1/1
    """
    drawn.check()


def test_a_division_whose_past_is_missing_is_an_unconnected_parent_too(drawn):
    r"""
    truth           0   1   2   3
            15 µm         --o---o
                         /
            10 µm   o---o
                         \
             5 µm         --o---o
    reconstruction  0   1   2   3
            15 µm         --o---o
                         /
            10 µm       o
                         \
             5 µm         --o---o
    expect          unconnected_parents 1, fn_edges 1, sum_of_errors 1, error_free 4/5 2/3 0/1, division_tp 1
    """
    drawn.check()


def test_a_mother_without_a_past_needs_only_her_daughters(drawn):
    r"""
    truth           1   2   3
            15 µm     --o---o
                     /
            10 µm   o
                     \
             5 µm     --o---o
    reconstruction  0   1   2   3
            15 µm         --o---o
                         /
            10 µm   o---o
                         \
             5 µm         --o---o
    expect          unconnected_parents 0, matched_edges 4, error_free 4/4 2/2 0/0, division_tp 1
    """
    drawn.check()


def test_a_mother_without_a_past_and_one_daughter_has_no_connection(drawn):
    r"""There is no parent edge that could make one of the daughters the connected one.

    truth           1   2   3
            15 µm     --o---o
                     /
            10 µm   o
                     \
             5 µm     --o---o
    reconstruction  0   1   2   3
            15 µm         --o---o
                         /
            10 µm   o---o
             5 µm           o---o
    expect          no_connection 1, fn_edges 1, error_free 3/4 1/2 0/0, division_fn 1
    """
    drawn.check()


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
