from tests.web import PASSWORD, csrf_token, sign_in


def test_the_right_password_opens_the_panel(client):
    sign_in(client, "maryam")
    assert client.get("/").status_code == 200


def test_a_stranger_is_sent_to_the_sign_in_page_and_back(client):
    answer = client.get("/runs/?page=2")
    assert answer.status_code == 302
    assert answer.location == "/login?next=/runs/?page%3D2"
    answer = client.post(
        "/login",
        data={
            "username": "reza",
            "password": PASSWORD,
            "next": "/runs/?page=2",
            "csrf_token": csrf_token(client),
        },
    )
    assert answer.location == "/runs/?page=2"
