"""The chapter's result: only parts that there are, and nothing of it read as HTML."""

from book.transfer.answer import summary_names, transfer_answer


def test_parts_that_were_left_out_leave_no_paragraph():
    assert transfer_answer(["first", "", "5 < 6"]) == "<p>first</p><p>5 &lt; 6</p>"


def test_the_summary_names_metrics_that_there_are_in_the_order_of_the_page():
    metrics = {"votes_accuracy": {}, "in_dataset_accuracy": {}, "something_else": {}}
    assert list(summary_names(metrics)) == ["in_dataset_accuracy", "votes_accuracy"]
