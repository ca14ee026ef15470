from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('workshop', '0002_shelf'),
    ]

    operations = [
        migrations.CreateModel(
            name='Access',
            fields=[],
            options={
                'proxy': True,
                'indexes': [],
                'constraints': [],
            },
            bases=('workshop.machine',),
        ),
    ]
