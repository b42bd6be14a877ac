"""What `dingbell init` writes."""

from __future__ import annotations

__all__ = ["ENVIRONMENT", "SCHEMA_FILE", "YAML"]

# Beside the example: editors complete and check with it.
SCHEMA_FILE = "dingbell.schema.json"

YAML = """\
# yaml-language-server: $schema=./dingbell.schema.json
# DingBell 叮铃: what is sent to whom, when.  `dingbell plan` shows the difference, `dingbell apply`
# makes it so; a repeat changes nothing.
# 何时、给谁、发什么。`dingbell plan` 查看差异, `dingbell apply` 使其生效; 重复执行没有副作用。
# The first line lets editors complete and check this file; after an upgrade
# `dingbell schema --force --out dingbell.schema.json` writes its schema again.
# 首行供编辑器补全和检查; 升级后用上面的命令重新生成。
# Keys that begin with x- may hold anything, for anchors (&). 以 x- 开头的键内容不限, 供锚点使用。

timezone: Asia/Shanghai

# Apps: 企业内部应用. One app may also come from the environment (see .env.example).
# apps:
#   hr:
#     agent_id: 781348000
#     app_key: ${HR_APP_KEY}
#     app_secret: ${HR_APP_SECRET}
#     org: default                # limits are counted per org / 限额按组织计算

# Saved audiences / 保存的受众
# audiences:
#   hangzhou:
#     departments: [2]            # sub-departments included / 含子部门
#     except: {users: [manager7675]}

schedules:
  off-work:
    when: {daily: "16:00"}        # or cron: "0 16 * * 1-5", every: 30m, once: "2026-12-31 18:00"
    to: {users: [manager4220]}    # or departments, roles, mobiles, everyone, audience
    message: {text: "Hello! 下午好!下班奥里给666!"}
    # misfire: {grace: 30m, catch_up: latest}   # late occurrences: latest | all | none
    # overlap: skip               # while the last one is still being sent: skip | queue | allow

  # morning:
  #   when: {cron: "0 9 * * 1-5"}
  #   to: {departments: [1]}
  #   message:
  #     markdown:
  #       title: 早上好
  #       text: "**{{ person.name }}**, 今天是 {{ due|date('%m月%d日') }}。"
  #   priority: normal            # urgent | normal | bulk
  #   preflight: warn             # or refuse: send only when everybody is expected to be reached
  #   follow_up: {unread_after: 4h, message: {text: "还没有看?"}}   # remind the unread / 提醒未读

  # workday-end:                  # every workday, make-up days included / 每个工作日, 含调休上班日
  #   when: {workday: "16:00"}
  #   to: {everyone: true}
  #   message: {text: "下班前请填写日报。"}

  # payslip:                      # a row of a table for each person / 每人一行数据
  #   when: {monthly: {day: 5, at: "10:00", shift: next_workday}}
  #   to: {everyone: true}
  #   rows: payslips.csv          # 工号,net
  #   message: {text: "{{ person.name }}, 本月实发 {{ row.net|money }}"}

  # birthday:                     # whoever has a birthday on that day / 当天过生日的人
  #   when: {daily: "09:00"}
  #   to: {everyone: true, where: {birthday: {anniversary: true}}}
  #   message: {text: "{{ person.name }}, 生日快乐!"}

  # poster:                       # a picture beside this file / 与本文件同目录的图片
  #   when: {once: "2036-12-31 10:00"}
  #   to: {everyone: true}
  #   message: {image: ./poster.png}

# For everything / 对所有日程生效
# deny: {users: [chairman1]}                   # never sent to / 永远不发
# quiet_hours: {from: "22:00", to: "07:30", then: hold}    # or skip
# orgs: {default: {monthly_calls: 5000, hold_bulk_at: 0.9}}   # the edition / 版本额度
# alerts: {webhook: "https://example.com/hook", notify: {users: [manager4220]}}
"""

ENVIRONMENT = """\
# DingTalk developer console → your app → credentials / 钉钉开发者后台 → 应用 → 凭证
DINGBELL_APP_KEY=
DINGBELL_APP_SECRET=
DINGBELL_AGENT_ID=

# Encrypts app secrets in the database; the same on every node. Left empty, one is made and kept in
# the data directory (secret.key). To make one: openssl rand -base64 32 | tr '+/' '-_'
# 加密数据库中的应用密钥, 各节点相同。留空则自动生成并保存在数据目录 (secret.key)。
DINGBELL_SECRET_KEY=

# A cluster shares one PostgreSQL; without it DingBell runs its own / 多节点共用一个 PostgreSQL
# DINGBELL_DATABASE_URL=postgresql://dingbell:password@db.example.com/dingbell
# DINGBELL_DATA_DIR=
# DINGBELL_LOG=info
"""
