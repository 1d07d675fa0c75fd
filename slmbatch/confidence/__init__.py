"""From token logprobs to scores, and the gate that accepts an answer or sends the document up."""
