"""What learns: supervised fine-tuning and reinforcement learning."""
