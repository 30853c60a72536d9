"""Drawn cases: divisions found, missed, or cut from their past."""


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
