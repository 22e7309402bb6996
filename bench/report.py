"""Tables of the measurements, as Markdown and JSON."""

from __future__ import annotations

import statistics


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def summarize(samples: list, items: int, ours: list | None) -> dict:
    """Seconds and rate of one contender in one case; `ours` gives the ratio, round by round as they were run."""
    walls = [sample.wall for sample in samples]
    summary = {
        "seconds": {"min": min(walls), "median": statistics.median(walls), "p90": percentile(walls, 0.9)},
        "items_per_second": {"best": items / min(walls), "median": items / statistics.median(walls)},
        "processor_to_wall": sum(sample.processor for sample in samples) / sum(walls),
        "rounds": len(samples),
    }
    if ours is not None:
        ratios = [theirs.wall / our.wall for theirs, our in zip(samples, ours)]
        summary["rescoldo_is_faster_by"] = {
            "median": statistics.median(ratios),
            "of_best_times": min(walls) / min(sample.wall for sample in ours),
            "of_processor_times": min(sample.processor for sample in samples) / min(sample.processor for sample in ours),
        }
    return summary


def milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.1f}" if seconds < 1 else f"{1000 * seconds:.0f}"


def case_table(case: dict) -> list[str]:
    unit = case["unit"]
    lines = [
        f"### {case['title']}",
        "",
        f"| | min ms | median ms | p90 ms | {unit}/s (median) | {unit}/s (best) | rescoldo faster by: median of rounds"
        " | best times | processor times | processor / wall |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, summary in case["contenders"].items():
        ratio = summary.get("rescoldo_is_faster_by", {})
        ratios = " | ".join(f"{value:.2f}x" for value in ratio.values()) or " | | "
        seconds, rate = summary["seconds"], summary["items_per_second"]
        lines.append(
            f"| {name} | {milliseconds(seconds['min'])} | {milliseconds(seconds['median'])} | {milliseconds(seconds['p90'])}"
            f" | {rate['median']:.1f} | {rate['best']:.1f} | {ratios} | {summary['processor_to_wall']:.2f} |"
        )
    if "share_of_peak" in case:
        full, computed = case["full_share_of_peak"], case["share_of_peak"]
        lines += [
            "",
            f"Share of the int8 peak of {case['int8_peak_gmacs']:.0f} GMAC/s, linear layers only: median {full['median']:.1%},"
            f" best round {full['best']:.1%} counting every token in every layer; {computed['median']:.1%} and"
            f" {computed['best']:.1%} counting what is computed.",
        ]
    return [*lines, ""]


PEERS = ("ONNX Runtime", "OpenVINO", "FlashRank", "fastembed")


def summary_table(cases: list[dict]) -> list[str]:
    """One line per case: our rate, and how many times faster than each peer's best form, by processor time."""
    lines = [
        "| | rescoldo, per second: best (median) | share of the int8 peak, best round: full model (as computed) | "
        + " | ".join(f"times {peer}" for peer in PEERS) + " |",
        "|---|---|---|" + "---|" * len(PEERS),
    ]  # fmt: skip
    for case in cases:
        rate = case["contenders"]["rescoldo"]["items_per_second"]
        share = ""
        if "share_of_peak" in case:
            share = f"{case['full_share_of_peak']['best']:.0%} ({case['share_of_peak']['best']:.0%})"
        ratios = []
        for peer in PEERS:
            forms = [
                summary["rescoldo_is_faster_by"]["of_processor_times"]
                for name, summary in case["contenders"].items()
                if name.startswith(peer)
            ]
            ratios.append(f"{min(forms):.2f}" if forms else "")
        lines.append(
            f"| {case['title']} | {rate['best']:.0f} ({rate['median']:.0f}) | {share} | " + " | ".join(ratios) + " |"
        )
    return [*lines, ""]


def memory_table(memory: dict[str, int]) -> list[str]:
    lines = ["### Peak memory of the processes", "", "| process | MB |", "|---|---|"]
    return [*lines, *(f"| {name} | {value / 1e6:.0f} |" for name, value in memory.items()), ""]


def markdown(report: dict) -> str:
    machine = report["machine"]
    lines = [
        f"## {machine['processor']}",
        "",
        f"{report['date']}, one pinned processor of {machine['processors']}; int8 peak measured in the same run"
        f" {machine['int8_peak_gmacs']['median']:.0f} GMAC/s (median; {machine['int8_peak_gmacs']['min']:.0f} to"
        f" {machine['int8_peak_gmacs']['max']:.0f}), level {machine['isa']}.",
        "",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in report["versions"].items()) + ".",
        f"Texts: {report['texts']}. Cross-encoder: {report['cross_encoder']}.",
        "",
    ]
    lines += summary_table(report["cases"])
    for case in report["cases"]:
        lines += case_table(case)
    lines += memory_table(report["peak_memory_bytes"])
    return "\n".join(lines)
