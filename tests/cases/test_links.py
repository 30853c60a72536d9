"""Drawn cases: links found, missing and mixed up."""


def test_a_perfect_track_has_no_error(drawn):
    """
    truth           0   1   2   3
             0 µm   o---o---o---o
    reconstruction  0   1   2   3
             1 µm   o---o---o---o
    expect          matched_edges 3, node_recall 1, node_precision none, localisation_median_um 1
    expect          error_free 3/3 2/2 1/1, errors_per_edge 0, fp_edges none, edge_jaccard_jaccard 1
    """
    drawn.check()


def test_a_missing_link_is_one_fn_edge(drawn):
    """
    truth           0   1   2   3
             0 µm   o---o---o---o
    reconstruction  0   1   2   3
             1 µm   o---o   o---o
    expect          fn_edges 1, matched_edges 2, errors_per_edge 1/3, error_free 2/3 0/2 0/1
    expect          node_recall 1, edge_jaccard_tp 2, edge_jaccard_fn 1, edge_jaccard_fp 0
    """
    drawn.check()


def test_a_missed_cell_costs_both_its_links(drawn):
    """
    truth           0   1   2   3   4
             0 µm   o---o---o---o---o
    reconstruction  0   1   2   3   4
             1 µm   o---o       o---o
    expect          fn_edges 2, error_free 2/4 0/3 0/2, node_recall 4/5
    """
    drawn.check()


def test_a_link_that_skips_a_frame_is_no_match_for_a_chain(drawn):
    """
    truth           0   1   2   3   4
             0 µm   o---o---o---o---o
    reconstruction  0   1   2   3   4
             1 µm   o---o-------o---o
    expect          fn_edges 2, error_free 2/4 0/3 0/2, unmatched_near_truth 1
    """
    drawn.check()


def test_a_chain_is_no_match_for_a_link_that_skips_a_frame(drawn):
    """The skipping truth link begins every segment it stands in; the first one reaches frame 4 with w = 3 and w = 2.

    truth           0   1   2   3   4
             0 µm   o---o-------o---o
    reconstruction  0   1   2   3   4
             1 µm   o---o---o---o---o
    expect          fn_edges 1, matched_edges 2, error_free 2/3 0/2 0/2, unmatched_near_truth 0
    """
    drawn.check()


def test_links_that_skip_the_same_frame_are_matched(drawn):
    """
    truth           0   1   2   3   4
             0 µm   o---o-------o---o
    reconstruction  0   1   2   3   4
             1 µm   o---o-------o---o
    expect          matched_edges 3, error_free 3/3 2/2 2/2
    """
    drawn.check()


def test_a_track_that_hands_over_to_another_is_an_identity_switch(drawn):
    """
    truth           0   1   2   3
             0 µm   o---o---o---o
    reconstruction  0   1   2   3
             1 µm   o---o
            -1 µm       o---o---o
    expect          identity_switches 1, matched_edges 3, error_free 3/3 1/2 0/1, errors_per_edge 1/3
    """
    drawn.check()


def test_a_hand_over_with_a_missing_link_is_no_switch(drawn):
    """Both edges of the point must be matched; the missing one is counted as such and nothing twice.

    truth           0   1   2   3
             0 µm   o---o---o---o
    reconstruction  0   1   2   3
             1 µm   o---o
            -1 µm           o---o
    expect          fn_edges 1, error_free 2/3 0/2 0/1
    """
    drawn.check()


def test_cells_that_swap_over_a_long_way_lose_two_links(drawn):
    r"""
    truth           0   1   2   3
             8 µm   o---o---o---o
             0 µm   o---o---o---o
    reconstruction  0   1   2   3
             8 µm   o---o   o---o
                         \ /
                          X
                         / \
             0 µm   o---o   o---o
    expect          fn_edges 2, error_free 4/6 0/4 0/2, unmatched_near_truth 2
    expect          edge_jaccard_tp 4, edge_jaccard_fn 2, edge_jaccard_fp 2, edge_jaccard_jaccard 1/2
    """
    drawn.check()


def test_cells_that_swap_within_the_threshold_are_two_switches(drawn):
    r"""All edges can be matched; whichever partners the crossing edges get, each track changes cell once.

    truth           0   1   2   3
             2 µm   o---o---o---o
             0 µm   o---o---o---o
    reconstruction  0   1   2   3
             2 µm   o---o   o---o
                         \ /
                          X
                         / \
             0 µm   o---o   o---o
    expect          identity_switches 2, matched_edges 6, error_free 6/6 2/4 0/2
    """
    drawn.check()


def test_an_empty_reconstruction_misses_everything(drawn):
    """
    truth           0   1   2   3
             0 µm   o---o---o---o
    reconstruction  0   1   2   3
    expect          fn_edges 3, matched_edges 0, node_recall 0, error_free 0/3 0/2 0/1, localisation_median_um none
    """
    drawn.check()


def test_a_second_track_beside_the_true_one_is_a_hint_where_truth_is_sparse(drawn):
    """
    truth           0   1   2
             0 µm   o---o---o
    reconstruction  0   1   2
             2 µm   o---o---o
             0 µm   o---o---o
    expect          unmatched_near_truth 2, node_precision none, fp_edges none, error_free 2/2 1/1 0/0
    """
    drawn.check()


def test_a_second_track_beside_the_true_one_is_wrong_where_truth_is_dense(drawn):
    """
    dense truth     0   1   2
             0 µm   o---o---o
    reconstruction  0   1   2
             2 µm   o---o---o
             0 µm   o---o---o
    expect          unmatched_near_truth 2, node_precision 1/2, node_recall 1, fp_edges 2, sum_of_errors 0
    """
    drawn.check()


def test_a_track_far_away_is_unknown_where_truth_is_sparse(drawn):
    """
    truth           0   1   2
             0 µm   o---o---o
    reconstruction  0   1   2
            50 µm   o---o---o
             0 µm   o---o---o
    expect          unmatched_near_truth 0, fp_edges none, node_precision none, error_free 2/2 1/1 0/0
    """
    drawn.check()


def test_only_scored_lineages_count_although_all_are_matched(drawn):
    """The lower lineage was trained on: what is right or wrong about it is left out, also from precision.

    dense truth     0   1   2
             9 µm   o---o---o
             0 µm   x---x---x
    reconstruction  0   1   2
            30 µm   o
            10 µm   o---o   o
             0 µm   o   o---o
    expect          fn_edges 1, matched_edges 1, error_free 1/2 0/1 0/0, n_truth_edges 2, n_truth_points 3
    expect          node_recall 1, node_precision 3/4, fp_edges 0
    expect          edge_jaccard_tp 1, edge_jaccard_fn 1, edge_jaccard_fp 0
    """
    drawn.check()


def test_the_adjusted_jaccard_lowers_the_score_for_too_many_cells(drawn):
    """One link of two: J = 1/2. Six cells where three are true: 1 - 0.1 * (6 - 3) / 3 = 0.9.

    dense truth     0   1   2
             0 µm   o---o---o
    reconstruction  0   1   2
            30 µm   o---o---o
             0 µm   o---o   o
    expect          fn_edges 1, fp_edges 2, edge_jaccard_jaccard 1/2, edge_jaccard_adjusted 9/20, score 9/20
    """
    drawn.check()
