"""What compliance does all day."""
