"""Target `ci`: a pipeline for GitHub and the same for GitLab. Both call the same few scripts, which lie beside them."""

from frontdesk.render.ci import github, gitlab, scripts
from frontdesk.render.target import Files, Target
from frontdesk.system.layout.plan import Plan


def files(plan: Plan) -> Files:
    """Both pipelines and their scripts; take away the one that you don't need."""
    return {**github.files(plan), **gitlab.files(plan), **scripts.files(plan)}


target = Target(
    summary="pipelines of GitHub and GitLab: test, build, scan, sign, roll out",
    files=files,
    next_step="cp -R {out}/. . && git add .github .gitlab-ci.yml pipeline",
)
