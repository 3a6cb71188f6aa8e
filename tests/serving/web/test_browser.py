"""The page in a real browser: Chromium, driven by Selenium."""

import shutil
import time

import pytest

from s2s_jax.config.web import WebConfig
from s2s_jax.serving.web.server import address, listen, running
from s2s_jax.serving.web.service import Service

pytestmark = pytest.mark.slow
WIDTHS = (1280, 360)


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs pip install selenium")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("needs Chromium: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(driver)
    with webdriver.Chrome(options, service) as browser:
        browser.set_page_load_timeout(120)
        browser.set_script_timeout(120)
        yield browser


@pytest.fixture(scope="module")
def page(translators):
    service = Service(translators)
    service.prepare()
    server = listen(WebConfig(port=0))
    with running(service, server):
        yield address(server)


def until(condition, seconds=60):
    """Waits until a condition holds, and says what it gave."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "the page did not get there"
        time.sleep(0.05)
    return value


def text_of(browser, selector):
    return browser.execute_script("return document.querySelector(arguments[0]).innerText", selector)


def count(browser, selector):
    script = "return document.querySelectorAll(arguments[0]).length"
    return browser.execute_script(script, selector)


def opened(browser, page):
    browser.get(page)
    until(lambda: count(browser, "#run option"))
    return browser.find_element("id", "text")


def typed(browser, page, text):
    """What was typed is answered, without anything else being done."""
    opened(browser, page).send_keys(text)
    until(lambda: count(browser, "#answer .unit") and not count(browser, "#answer.stale"))


def test_what_is_typed_is_answered(browser, page, translators):
    typed(browser, page, "abc")
    expected = translators[0].translate(["abc"])[0]
    best = translators[0]("abc", beam=4, n_best=4)
    until(lambda: count(browser, "#others li") == len(best))
    assert text_of(browser, "#answer").strip() == best[0].strip()
    assert count(browser, "#attention td[title]") > 0
    assert count(browser, "#attention thead th") == 3
    assert "%" in text_of(browser, "#others li .probability")
    assert expected.source == "abc"
    assert not text_of(browser, "#error")


@pytest.mark.parametrize(("text", "direction"), [("abc", "ltr"), ("\u05e9abc", "rtl")])
def test_attention_turns_with_its_source(browser, page, text, direction):
    typed(browser, page, text)
    until(lambda: count(browser, f"#attention[dir={direction}] table"))
    assert count(browser, "#attention thead th") == 3


def test_what_the_model_was_unsure_of_keeps_its_order(browser, page):
    """Units from right to left would else take the figures and commas with them."""
    opened(browser, page)
    assert browser.execute_script("return quoted('ל')") == "“\u2068ל\u2069”"
    typed(browser, page, "abcabc")
    assert "\u2069” " in text_of(browser, "#unsure")


def test_enter_and_the_keyboard_are_enough(browser, page):
    from selenium.webdriver.common.keys import Keys

    text = opened(browser, page)
    browser.find_element("id", "typing").click()
    text.send_keys("abcd")
    time.sleep(0.5)
    assert not text_of(browser, "#answer")
    text.send_keys(Keys.ENTER)
    until(lambda: count(browser, "#answer .unit"))
    reached = set()
    for _ in range(20):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        element = browser.switch_to.active_element
        reached.add(element.get_attribute("id") or element.text or element.tag_name)
    assert {"typing", "run", "attention"} <= reached


def test_another_run_without_attention_says_so(browser, page):
    from selenium.webdriver.support.select import Select

    typed(browser, page, "abc")
    Select(browser.find_element("id", "run")).select_by_visible_text("plain")
    until(lambda: "no attention" in text_of(browser, "#attention"))


def test_sliders_change_the_search(browser, page):
    typed(browser, page, "abc")
    change = (
        "const s = document.getElementById(arguments[0]); s.value = arguments[1];"
        "for (const kind of ['input', 'change']) s.dispatchEvent(new Event(kind))"
    )
    browser.execute_script(change, "beam", "1")
    until(lambda: not browser.find_element("id", "others-part").is_displayed())
    assert "greedy" in text_of(browser, "#settings summary")
    browser.execute_script(change, "temperature", "1.5")
    assert "drawn" in text_of(browser, "#settings summary")
    until(lambda: not count(browser, "#answer.stale"))


def test_examples_curve_card_and_figures_are_shown(browser, page):
    opened(browser, page)
    browser.find_element("css selector", "#examples button").click()
    until(lambda: "uv" in text_of(browser, "#reference"))
    assert "25 %" in text_of(browser, "#evaluation")
    assert "2.5" in browser.find_element("css selector", "#curve svg").get_attribute("aria-label")
    browser.find_element("css selector", "#card-part summary").click()
    assert "A card" in text_of(browser, "#card")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_can_be_read(browser, page, width, scheme, tmp_path):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
    typed(browser, page, "abcdefgh abcdefgh abcd")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    low = browser.execute_script(CONTRAST)
    assert not low, low
    unnamed = browser.execute_script(
        "return [...document.querySelectorAll('input,select,textarea,button')]"
        ".filter(e => !(e.labels?.length || e.textContent.trim())).map(e => e.outerHTML)"
    )
    assert not unnamed
    browser.save_screenshot(str(tmp_path / f"{width}-{scheme}.png"))


def test_nearly_all_is_not_all(browser, page):
    opened(browser, page)
    shown = browser.execute_script("return [0.0004, 0.05, 0.5, 0.998, 0.9996, 1].map(percent)")
    assert shown == ["< 0.1 %", "5.0 %", "50 %", "99.8 %", "> 99.9 %", "100 %"]


def test_labels_are_turned_by_the_characters_that_are_read(browser, page):
    opened(browser, page)
    shown = browser.execute_script("return ['क्षि', '👩\u200d👩\u200d👧', 'abc'].map(length)")
    assert shown == [1, 1, 3]


def test_nothing_was_refused_or_loaded_from_elsewhere(browser, page):
    typed(browser, page, "abc")
    script = "return performance.getEntriesByType('resource').map(entry => entry.name)"
    assert all(name.startswith(page) for name in browser.execute_script(script))
    assert not [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]


def test_a_server_that_is_gone_is_named(browser, translators):
    service = Service(translators)
    server = listen(WebConfig(port=0))
    with running(service, server):
        page = address(server)
        opened(browser, page)
    browser.find_element("id", "text").send_keys("abc")
    until(lambda: "does not answer" in text_of(browser, "#error"))


# Texts whose contrast to what is behind them is below 4.5 (WCAG 2.2, 1.4.3, AA).
CONTRAST = """
const parse = (c) => c.match(/[\\d.]+/g).map(Number);
const light = (c) => c.slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92
  : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (e) => {
  for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] === 1) return c;
  }
  return [255, 255, 255];
};
const found = [];
for (const e of document.querySelectorAll("body *")) {
  const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  const unseen = !e.checkVisibility() || e.disabled || e.matches(".weight, option, noscript");
  if (!own || unseen) continue;
  const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < 4.5) found.push([e.tagName, e.className, e.textContent.slice(0, 20), contrast]);
}
return found;
"""
