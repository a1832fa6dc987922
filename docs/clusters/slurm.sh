#!/bin/bash
# A run in eight shards, each with one GPU: sbatch slurm.sh
# More arguments of `vtg-eval run` may follow: sbatch slurm.sh --batch-size 16
#SBATCH --job-name=vtg-eval
#SBATCH --array=1-8
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
#SBATCH --mem=64G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A-%a.log
set -euo pipefail

# The number of shards, as in --array. SLURM_ARRAY_TASK_COUNT is another number when only
# some shards are submitted again.
SHARDS=${SHARDS:-8}

# All of these are on storage that every node sees.
SHARED=${SHARED:-/shared}
MODEL=${MODEL:-$SHARED/models/Qwen2.5-VL-7B-Instruct}
TASKS=${TASKS:-charades_sta}
RUN=${RUN:-$SHARED/runs/qwen2.5-vl-7b}
export VTG_EVAL_DATA=${VTG_EVAL_DATA:-$SHARED/data}
export VTG_EVAL_CACHE=${VTG_EVAL_CACHE:-$SHARED/cache}
export PATH=$SHARED/vtg-eval/.venv/bin:$PATH

exec vtg-eval run --model "$MODEL" --tasks "$TASKS" --out "$RUN" \
    --shard "$SLURM_ARRAY_TASK_ID/$SHARDS" "$@"
