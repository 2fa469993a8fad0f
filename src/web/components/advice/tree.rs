//! The field's decision tree, the path of this run lit.

use super::change::{Apply, change};
use crate::advise::Answer;
use crate::web::advice::{Branch, Question};
use yew::prelude::*;

/// The question that only the user can answer.
const OF_THE_USER: &str = "accuracy";

/// The tree; `tell` is given the answer to the question that only the user can answer.
pub fn tree(
    questions: &[Question],
    told: Option<bool>,
    tell: &Callback<Option<bool>>,
    apply: &Apply,
) -> Html {
    html! {
        <ol class="tree" data-testid="tree">
            for question in questions { {node(question, told, tell, apply)} }
        </ol>
    }
}

fn node(question: &Question, told: Option<bool>, tell: &Callback<Option<bool>>, apply: &Apply) -> Html {
    let answer = match question.answer {
        Answer::Yes => "yes",
        Answer::No => "no",
        Answer::Open => "only you can tell",
    };
    let asked = question.lit && question.id == OF_THE_USER;
    html! {
        <li key={question.id.clone()} class={classes!(question.lit.then_some("lit"))}>
            <p class="question" title={format!("{} ({})", question.fact, question.source)}>
                {&question.question}{" "}<b>{answer}</b>
                if question.lit && !question.because.is_empty() { <span class="note">{&question.because}</span> }
            </p>
            if asked {
                <div class="choices" role="group" aria-label={question.question.clone()}>
                    for (value, word) in [(Some(true), "yes"), (Some(false), "no"), (None, "not known")] {
                        <button type="button" aria-pressed={(told == value).to_string()}
                            onclick={tell.reform(move |_: MouseEvent| value)}>{word}</button>
                    }
                </div>
            }
            {branch("yes", &question.yes, question, apply)}
            {branch("no", &question.no, question, apply)}
        </li>
    }
}

fn branch(word: &'static str, branch: &Branch, question: &Question, apply: &Apply) -> Html {
    let shown = branch.lit || (question.lit && question.answer == Answer::Open);
    if branch.tips.is_empty() || !question.lit {
        return Html::default();
    }
    html! {
        <div class={classes!("branch", branch.lit.then_some("lit"))}>
            <span class="way">{word}</span>
            if shown {
                <ul>{for branch.tips.iter().map(|tip| change(tip, apply))}</ul>
            } else {
                <span class="note">{branch.tips.iter().map(|tip| tip.label.as_str()).collect::<Vec<_>>().join(" · ")}</span>
            }
        </div>
    }
}
