"""Drawn cases: divisions reconstructed where none is, or where nobody knows."""


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
