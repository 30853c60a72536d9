"""What is to be solved: links, costs, pins; and smaller problems cut out of larger ones."""
